-- Decides on one request and, if it is admitted, takes everything that it needs, in one step.
--
-- All keys share the caller's hash tag, so that they are on one node of a cluster. Time is this server's, in
-- microseconds for rates and in milliseconds otherwise; money is in billionths of a dollar. Every number stays below
-- 2^53, up to which Lua's doubles are exact. '' stands for "no limit".

local rates, leases, open = KEYS[1], KEYS[2], KEYS[3]
local earlier_month, later_month = KEYS[4], KEYS[5] -- the same key, but around the turn of a month
local revoked_up_to, revoked_token = KEYS[6], KEYS[7] -- the same key, for a token without a name
local session = KEYS[8] -- what is charged in it; any key where there is none
local closed = KEYS[9] -- permits that are settled or taken back

local id = ARGV[1]
local not_after = tonumber(ARGV[2]) -- µs; 0: whenever it comes
local months_from, later_from, months_until = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]) -- ms
local requests_weight, requests_capacity = tonumber(ARGV[6]), tonumber(ARGV[7]) -- µs
local audio_weight, audio_capacity = tonumber(ARGV[8]), tonumber(ARGV[9]) -- µs
local most_in_flight = tonumber(ARGV[10])
local most_usd, most_audio = tonumber(ARGV[11]), tonumber(ARGV[12])
local usd, audio = ARGV[13], ARGV[14] -- the estimate
local lease = tonumber(ARGV[15]) -- ms
local memo = ARGV[16]
local abandoned_after = tonumber(ARGV[17]) -- ms after the end of a lease
local keep, keep_month = ARGV[18], ARGV[19] -- ms
local issued_at = tonumber(ARGV[20]) -- s
local session_until = tonumber(ARGV[21]) -- ms; '': no session with caps
local most_session_usd, most_session_audio = tonumber(ARGV[22]), tonumber(ARGV[23])

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)

-- Whoever sent this has given it up and gone on without: taking it now would take it twice.
if not_after > 0 and now > not_after then
  return redis.error_reply('LATE the request was given up before it came to be decided')
end
-- Nobody waits for the answer, and what it would take would not be given back.
if redis.call('ZSCORE', closed, id) then
  return redis.error_reply('LATE the request was given up before it came to be decided')
end
if now_ms < months_from or now_ms >= months_until then
  return redis.error_reply('CLOCK the clocks of the gateway and of Redis differ by more than twelve hours')
end
local month = now_ms >= later_from and later_month or earlier_month

local requests_ahead, audio_ahead, set_back = read_rates(rates, now)
local in_flight = redis.call('ZCOUNT', leases, '(' .. string.format('%.0f', now_ms), '+inf')
-- A correction after part of the data was lost could take a sum below nothing.
local spent = redis.call('HMGET', month, 'usd', 'audio')
local spent_usd = math.max(tonumber(spent[1]) or 0, 0)
local spent_audio = math.max(tonumber(spent[2]) or 0, 0)

local function is_revoked()
  local said = redis.call('MGET', revoked_up_to, revoked_token)
  if said[1] and (not issued_at or issued_at <= tonumber(said[1])) then
    return true
  end
  return revoked_token ~= revoked_up_to and said[2]
end

local function exceeds_session()
  if not session_until then
    return false
  end
  local spent = redis.call('HMGET', session, 'usd', 'audio')
  local after_usd = math.max(tonumber(spent[1]) or 0, 0) + tonumber(usd)
  local after_audio = math.max(tonumber(spent[2]) or 0, 0) + tonumber(audio)
  return most_session_usd and after_usd > most_session_usd or most_session_audio and after_audio > most_session_audio
end

local denial, wait = '', 0
local known = redis.call('HEXISTS', open, id) == 1
if not known then
  local requests_wait = requests_weight and requests_ahead + requests_weight - requests_capacity or 0
  local audio_wait = audio_weight and audio_ahead + audio_weight - audio_capacity or 0
  if is_revoked() then
    denial = 'revoked'
  elseif requests_wait > 0 and requests_wait >= audio_wait then
    denial, wait = 'requests', requests_wait
  elseif audio_wait > 0 then
    denial, wait = 'audio', audio_wait
  elseif most_in_flight and in_flight >= most_in_flight then
    denial = 'concurrency'
  elseif most_usd and spent_usd + tonumber(usd) > most_usd then
    denial = 'usd'
  elseif most_audio and spent_audio + tonumber(audio) > most_audio then
    denial = 'minutes'
  elseif exceeds_session() then
    denial = 'session'
  end
end

if denial == '' and not known then
  -- The first write is one that Redis refuses when its memory is full, so that then none of them happens.
  redis.call('HINCRBY', month, 'requests', 1)
  redis.call('HINCRBY', month, 'usd', usd)
  redis.call('HINCRBY', month, 'audio', audio)
  redis.call('PEXPIRE', month, keep_month)
  redis.call('HSET', open, id, string.format('%.0f', now_ms) .. ' ' .. memo)
  redis.call('PEXPIRE', open, keep)
  redis.call('ZADD', leases, string.format('%.0f', now_ms + lease), id)
  redis.call('PEXPIRE', leases, keep)
  if session_until then
    redis.call('HINCRBY', session, 'usd', usd)
    redis.call('HINCRBY', session, 'audio', audio)
    redis.call('PEXPIREAT', session, string.format('%.0f', math.max(session_until, now_ms) + lease))
  end
  requests_ahead = requests_ahead + (requests_weight or 0)
  audio_ahead = audio_ahead + (audio_weight or 0)
  if requests_weight or audio_weight then
    write_rates(rates, now, requests_ahead, audio_ahead)
  end
  in_flight = in_flight + 1
  spent_usd = spent_usd + tonumber(usd)
  spent_audio = spent_audio + tonumber(audio)
end

if denial ~= '' and set_back > 0 then
  -- By the new clock from now on, or the wait would begin anew with each refusal.
  write_rates(rates, now, requests_ahead, audio_ahead)
end

-- Permits whose gateways must be dead. Some gateway settles them, by and by.
local dead = {}
local before = string.format('%.0f', now_ms - abandoned_after)
for _, dead_id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', before, 'LIMIT', 0, 4)) do
  local record = redis.call('HGET', open, dead_id)
  if record then
    dead[#dead + 1] = dead_id
    dead[#dead + 1] = record
  else
    redis.call('ZREM', leases, dead_id)
  end
end

return { denial, wait, now, requests_ahead, audio_ahead, in_flight, spent_usd, spent_audio, dead }
