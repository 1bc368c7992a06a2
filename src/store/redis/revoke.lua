-- Revokes one token, or all that were issued up to a second. A revoked token stays revoked, at least for as long as before.

local key = KEYS[1]
local args = cjson.decode(ARGV[1]) -- see RevokeArguments in revoked.rs

local left = math.max(args.until_ms - math.floor(server_time() / 1000), redis.call('PTTL', key))
local up_to = math.max(args.up_to, tonumber(redis.call('GET', key)) or 0)
if left > 0 then
  redis.call('SET', key, string.format('%.0f', up_to), 'PX', string.format('%.0f', left))
end
