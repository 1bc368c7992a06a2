-- Opens a session, if its maker's rate of requests and the bound of open sessions allow it, in one step. Asked again by the same
-- id it says the same and takes nothing more.

local list, ends, rates = KEYS[1], KEYS[2], KEYS[3]
local not_after = tonumber(ARGV[1]) -- µs; 0: whenever it comes
local id, expires_at, record = ARGV[2], ARGV[3], ARGV[4] -- ms
local keep = ARGV[5] -- ms
local weight, capacity = tonumber(ARGV[6]), tonumber(ARGV[7]) -- µs; '': no limit
local max_open = tonumber(ARGV[8])

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)
-- The gateway has answered its client by then, and nobody has the token of the session.
if not_after > 0 and now > not_after then
  return redis.error_reply('LATE the request was given up before the session was opened')
end

drop_ended(list, ends, now_ms)
local requests_ahead, audio_ahead, set_back = read_rates(rates, now)
local denial, wait = '', 0
if not redis.call('ZSCORE', ends, id) then
  wait = weight and math.max(requests_ahead + weight - capacity, 0) or 0
  if wait > 0 then
    denial = 'requests'
  elseif redis.call('ZCOUNT', ends, '(' .. string.format('%.0f', now_ms), '+inf') >= max_open then
    denial = 'open'
  else
    -- The first write is one that Redis refuses when its memory is full, so that then none of them happens.
    redis.call('ZADD', list, 0, id .. ' ' .. record)
    redis.call('ZADD', ends, expires_at, id)
    redis.call('PEXPIRE', list, keep)
    redis.call('PEXPIRE', ends, keep)
    if weight then
      requests_ahead = requests_ahead + weight
      write_rates(rates, now, requests_ahead, audio_ahead)
    end
  end
end

if denial == 'requests' and set_back > 0 then
  -- By the new clock from now on, or the wait would begin anew with each refusal.
  write_rates(rates, now, requests_ahead, audio_ahead)
end

return { denial, wait, now, requests_ahead }
