-- Reads a part of a maker's list. It costs as much as the part is long, however many sessions there are: those that have ended
-- are dropped once, some at a time, and the caller passes over the rest of them.

local list, ends = KEYS[1], KEYS[2]
local from, count = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
drop_ended(list, ends, now_ms)
return { now_ms, redis.call('ZRANGE', list, from, '+', 'BYLEX', 'LIMIT', 0, count) }
