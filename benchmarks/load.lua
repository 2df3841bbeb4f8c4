-- For wrk: cycles through the bodies in a file, from a given line on, and prints JSON.
local requests, position = {}, 0

function init(args)
  local headers = { ["Content-Type"] = "application/json", ["Host"] = wrk.host }
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", "/v1/audio/speech", headers, line)
  end
  position = tonumber(args[2]) % #requests
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
