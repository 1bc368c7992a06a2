-- Returns the revocations that were made after the last one that a gateway has seen, and whether that one is still there: if
-- not, Redis has lost some, or there were too many since.

local log = KEYS[1]
local args = cjson.decode(ARGV[1]) -- see FollowArguments in revoked.rs

local is_there = not args.last or #redis.call('XRANGE', log, args.last, args.last) == 1
local after = args.last and '(' .. args.last or '-'
return { is_there and 1 or 0, redis.call('XRANGE', log, after, '+', 'COUNT', args.count) }
