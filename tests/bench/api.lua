-- wrk -s api.lua URL -- TOKEN lookup|search: one of 10000 scholarships, or one search. Reports as one JSON line.
-- The requests are made before the first is sent: to make one costs more than to send it.
dofile("tests/bench/report.lua")

local requests = {}

function init(args)
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  if args[2] == "search" then
    requests[1] = wrk.format("GET", "/api/v1/search?q=nursing")
  else
    for id = 1, 10000 do requests[id] = wrk.format("GET", "/api/v1/scholarships/" .. id) end
  end
end

function request() return requests[math.random(#requests)] end
