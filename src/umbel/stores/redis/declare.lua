-- Lets Celery's tools, and umbel's own, know of queues. Keys: queues, the bindings.
-- ARGV: queues...
local time = now()
for _, queue in ipairs(ARGV) do declare(queue, time) end
return #ARGV
