-- Reads a part of a maker's list. The cost grows with the length of the part, not with the number of sessions: ended sessions
-- are dropped once, some at a time, and the gateway leaves out the rest of them.

local list, ends = KEYS[1], KEYS[2]
local args = cjson.decode(ARGV[1]) -- see ListArguments in sessions.rs

local now_ms = math.floor(server_time() / 1000)
drop_ended(list, ends, now_ms)
return { now_ms, redis.call('ZRANGE', list, args.from, '+', 'BYLEX', 'LIMIT', 0, args.count) }
