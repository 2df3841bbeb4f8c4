-- For wrk: cycles through the bodies in a file and prints JSON. Connections are kept, or "anew".
local requests, position = {}, 0

function init(args)
  local headers = { ["Content-Type"] = "application/json", ["Host"] = wrk.host }
  if args[2] == "anew" then headers["Connection"] = "close" end
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", "/v1/audio/speech", headers, line)
  end
  -- Each run starts elsewhere, so that all bodies get their turn.
  position = os.time() * 37 % #requests
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %f, "bytes": %d, "failed": %d, ' ..
    '"p50_ms": %f, "p95_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
