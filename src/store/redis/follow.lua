-- The revocations that were made after the last that a gateway has seen, and whether that one is still there: if not, Redis
-- has forgotten some, or there were too many since.

local log = KEYS[1]
local last, count = ARGV[1], ARGV[2] -- '0': none was seen yet

local is_there = last == '0' or #redis.call('XRANGE', log, last, last) == 1
return { is_there and 1 or 0, redis.call('XRANGE', log, '(' .. last, '+', 'COUNT', count) }
