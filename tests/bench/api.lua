-- wrk -s api.lua URL -- TOKEN lookup|search: one of 10000 scholarships, or one search. Reports as one JSON line.
dofile("tests/bench/report.lua")

local kind

function init(args)
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  kind = args[2]
end

function request()
  if kind == "search" then return wrk.format("GET", "/api/v1/search?q=nursing") end
  return wrk.format("GET", "/api/v1/scholarships/" .. math.random(10000))
end
