-- What wrk sends and says: the number after `--` is how many requests go out in one piece.
--
-- The text is made once: a `request` function here would be called for each request, and wrk is
-- the end that is the more easily exhausted.

function init(args)
  local one, depth = wrk.format(), tonumber(args[1])
  wrk.format = function() return string.rep(one, depth) end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("done %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed))
end
