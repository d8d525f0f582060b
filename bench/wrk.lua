-- A scenario's load, for wrk: what is asked, and whether the answers are right. Its argument is a file that returns
-- the plan, a table whose fields stand in bench/wrk.py. Several threads would each need numbers of their own: use one.

local plan, heads, remembered, expected, turn, last
local threads = {}

-- Read by `done` from the thread that counted them.
refused, wrong = 0, 0

function setup(thread)
   table.insert(threads, thread)
end

function init(arguments)
   plan = dofile(arguments[1])
   heads, remembered, expected, turn, last = {}, {}, {}, 0, plan.first + plan.known
   for path in plan.paths:gmatch("[^\n]+") do
      for _, lines in ipairs(plan.lines) do
         table.insert(heads, "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n" .. plan.headers
            .. lines .. "Content-Length: ")
         table.insert(remembered, {})
      end
   end
   for number = plan.first, plan.first + plan.known - 1 do
      expected[number + 1] = "always"
   end
   math.randomseed(plan.first)
   if plan.pause > 0 then
      -- wrk looks for it after this, and waits so many milliseconds before a request.
      function delay()
         return math.random(0, 2 * plan.pause)
      end
   end
end

local function compose(number)
   local body = plan.before .. string.format("%d", number) .. plan.after
   return heads[turn] .. #body .. "\r\n\r\n" .. body
end

function request()
   turn = turn % #heads + 1
   if math.random() < plan.fresh then
      last = last + 1
      expected[last + 1] = "once"
      return compose(last)
   end
   local number = plan.first + math.random(0, plan.known - 1)
   local known = remembered[turn][number] or compose(number)
   remembered[turn][number] = known
   return known
end

function response(status, headers, body)
   local found = string.match(body, plan.answer)
   if status ~= 200 then
      refused = refused + 1
   elseif not found then
      wrong = wrong + 1
   elseif plan.counts then
      local number = tonumber(found)
      if not expected[number] then
         wrong = wrong + 1
      elseif expected[number] == "once" then
         expected[number] = nil
      end
   end
end

function done(summary, latency, requests)
   local thread, errors = threads[1], summary.errors
   print(string.format(
      'measured {"requests": %d, "seconds": %f, "refused": %d, "wrong": %d, "broken": %d, '
         .. '"p50": %f, "p95": %f, "p99": %f}',
      summary.requests, summary.duration / 1e6, thread:get("refused"), thread:get("wrong"),
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3
   ))
end
