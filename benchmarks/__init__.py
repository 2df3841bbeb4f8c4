"""Every performance figure in the documents comes out of here: ``make bench``.

run.py          the whole, in the order of the page it writes
throughput.py   requests a second, beside the engine itself and two other servers
streams.py      long texts: first audio, memory, fairness
life.py         starting, losing workers, the cache
neural.py       Piper's voices: beside a raw onnxruntime loop and piper-tts, with piper_voices.py
logging_cost.py what a line of the log costs, beside three libraries' lines
level_cost.py   what equal loudness costs, per second of audio
raw_engine.py   the limit: nothing but the engine
plain_server.py the rivals: what one writes in an afternoon
servers.py      starts servers, and reads their CPU time and memory
load.py         makes requests at a rate that a server cannot keep up with
client.py       makes one request and notes when what arrived
machine.py      what it runs on, and who else does
texts.py        what is spoken
figures.py      the arithmetic
report.py       figures to tables, and whether they are what they have to be
"""
