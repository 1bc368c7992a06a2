-- Opens a session, if its maker's rate of requests and the limit of open sessions allow it, in one step. Asked again with the
-- same id, it gives the same answer and takes nothing more.

local list, ends, rates = KEYS[1], KEYS[2], KEYS[3]

local args = cjson.decode(ARGV[1]) -- see OpenArguments in sessions.rs

local now = server_time()
local now_ms = math.floor(now / 1000)
-- The gateway has answered its client by then, and no client has the token of the session.
if args.not_after and now > args.not_after then
  return redis.error_reply('LATE the request was given up before the session was opened')
end

drop_ended(list, ends, now_ms)
local requests_ahead, audio_ahead, set_back = read_rates(rates, now)
local denial, wait = '', 0
if not redis.call('ZSCORE', ends, args.id) then
  wait = args.weight and math.max(requests_ahead + args.weight - args.capacity, 0) or 0
  if wait > 0 then
    denial = 'requests'
  elseif redis.call('ZCOUNT', ends, '(' .. string.format('%.0f', now_ms), '+inf') >= args.max_open then
    denial = 'open'
  else
    -- The first write is one that Redis refuses when its memory is full, so that then none of them happens.
    redis.call('ZADD', list, 0, args.id .. ' ' .. args.record)
    redis.call('ZADD', ends, args.expires_at, args.id)
    redis.call('PEXPIRE', list, args.keep)
    redis.call('PEXPIRE', ends, args.keep)
    if args.weight then
      requests_ahead = requests_ahead + args.weight
      write_rates(rates, now, requests_ahead, audio_ahead)
    end
  end
end

if denial == 'requests' and set_back > 0 then
  -- By the new clock from now on, or the wait would start over with each refusal.
  write_rates(rates, now, requests_ahead, audio_ahead)
end

return { denial, wait, now, requests_ahead }
