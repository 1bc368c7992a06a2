-- Decides on one request and, if it is admitted, takes everything that it needs, in one step.
--
-- All keys share the caller's hash tag, so that they are on one node of a cluster. Time is this server's, in
-- microseconds for rates and in milliseconds otherwise; money is in billionths of a dollar. Every number stays below
-- 2^53, up to which Lua's doubles are exact. A limit that is nil does not apply.

local rates, leases, open = KEYS[1], KEYS[2], KEYS[3]
local earlier_month, later_month = KEYS[4], KEYS[5] -- the same key, except around the turn of a month
local revoked_up_to, revoked_token = KEYS[6], KEYS[7] -- the same key, for a token without an id
local session = KEYS[8] -- the charges of the session; any key if there is none
local closed = KEYS[9] -- permits that are settled or taken back

local args = cjson.decode(ARGV[1]) -- see AdmitArguments in admit.rs

local now = server_time()
local now_ms = math.floor(now / 1000)

-- The gateway has given this request up and decided without the store: taking it now would take it twice.
if args.not_after and now > args.not_after then
  return redis.error_reply('LATE the request was given up before it came to be decided')
end
-- The request was taken back: no gateway waits for the answer, and what it takes would not be given back.
if redis.call('ZSCORE', closed, args.id) then
  return redis.error_reply('LATE the request was given up before it came to be decided')
end
if now_ms < args.months_from or now_ms >= args.months_until then
  return redis.error_reply('CLOCK the clocks of the gateway and of Redis differ by more than twelve hours')
end
local month = now_ms >= args.later_month_from and later_month or earlier_month
local usd, audio = tonumber(args.usd), tonumber(args.audio) -- the estimate

local requests_ahead, audio_ahead, set_back = read_rates(rates, now)
local in_flight = redis.call('ZCOUNT', leases, '(' .. string.format('%.0f', now_ms), '+inf')
-- A correction after part of the data was lost could take a sum below zero.
local spent = redis.call('HMGET', month, 'usd', 'audio')
local spent_usd = math.max(tonumber(spent[1]) or 0, 0)
local spent_audio = math.max(tonumber(spent[2]) or 0, 0)

local function exceeds_session()
  if not args.session_until then
    return false
  end
  local spent = redis.call('HMGET', session, 'usd', 'audio')
  local after_usd = math.max(tonumber(spent[1]) or 0, 0) + usd
  local after_audio = math.max(tonumber(spent[2]) or 0, 0) + audio
  return args.max_session_usd and after_usd > args.max_session_usd
    or args.max_session_audio and after_audio > args.max_session_audio
end

local denial, wait = '', 0
local known = redis.call('HEXISTS', open, args.id) == 1
if not known then
  local requests_wait = args.requests_weight and requests_ahead + args.requests_weight - args.requests_capacity or 0
  local audio_wait = args.audio_weight and audio_ahead + args.audio_weight - args.audio_capacity or 0
  if is_revoked(revoked_up_to, revoked_token, args.issued_at) then
    denial = 'revoked'
  elseif requests_wait > 0 and requests_wait >= audio_wait then
    denial, wait = 'requests', requests_wait
  elseif audio_wait > 0 then
    denial, wait = 'audio', audio_wait
  elseif args.max_in_flight and in_flight >= args.max_in_flight then
    denial = 'concurrency'
  elseif args.max_usd and spent_usd + usd > args.max_usd then
    denial = 'usd'
  elseif args.max_audio and spent_audio + audio > args.max_audio then
    denial = 'minutes'
  elseif exceeds_session() then
    denial = 'session'
  end
end

if denial == '' and not known then
  -- The first write is one that Redis refuses when its memory is full, so that then none of them happens.
  redis.call('HINCRBY', month, 'requests', 1)
  redis.call('HINCRBY', month, 'usd', args.usd)
  redis.call('HINCRBY', month, 'audio', args.audio)
  redis.call('PEXPIRE', month, args.keep_month)
  redis.call('HSET', open, args.id, string.format('%.0f', now_ms) .. ' ' .. args.record)
  redis.call('PEXPIRE', open, args.keep)
  redis.call('ZADD', leases, string.format('%.0f', now_ms + args.lease), args.id)
  redis.call('PEXPIRE', leases, args.keep)
  if args.session_until then
    redis.call('HINCRBY', session, 'usd', args.usd)
    redis.call('HINCRBY', session, 'audio', args.audio)
    keep_session(session, math.max(args.session_until, now_ms) + args.lease, now_ms)
  end
  requests_ahead = requests_ahead + (args.requests_weight or 0)
  audio_ahead = audio_ahead + (args.audio_weight or 0)
  if args.requests_weight or args.audio_weight then
    write_rates(rates, now, requests_ahead, audio_ahead)
  end
  in_flight = in_flight + 1
  spent_usd = spent_usd + usd
  spent_audio = spent_audio + audio
end

if denial ~= '' and set_back > 0 then
  -- By the new clock from now on, or the wait would start over with each refusal.
  write_rates(rates, now, requests_ahead, audio_ahead)
end

-- Permits whose gateways must be dead. A gateway that asks settles some of them.
local dead = {}
local before = string.format('%.0f', now_ms - args.abandoned_after)
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
