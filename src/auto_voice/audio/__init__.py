"""PCM on its way out: to another sample rate, and into a file format.

pcm.py           what a piece of audio is in here; duration, silence, whole blocks
resample.py      one sample rate to another one, as the samples come
formats.py       which formats there are, and at which sample rates
encoders.py      the way in: `encoder` by a format's name, `available` for doctor
encoder.py       the contract of all encoders
uncompressed.py  pcm and wav, in plain Python
compressed.py    mp3, aac, flac and opus: how each codec's packets become a file
libav.py         FFmpeg's codecs through PyAV
ogg.py           the pages that Opus travels in
"""
