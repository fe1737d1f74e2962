-- wrk's summary as one JSON line; latencies are in microseconds there.
function done(summary, latency)
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p99_ms":%.3f,"error_statuses":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e3, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
