-- Sets the charge of an open permit to another amount, if the token is not revoked and the limits allow it, and renews its lease, in one step. Once: asked
-- again with the number of this revision or of an earlier one, it changes nothing. A permit that is settled stays settled.

local rates, leases, open = KEYS[1], KEYS[2], KEYS[3]
local earlier_month, later_month = KEYS[4], KEYS[5] -- the same key, except around the turn of a month
local revoked_up_to, revoked_token = KEYS[6], KEYS[7] -- the same key, for a token without an id
local session = KEYS[8] -- the charges of the session; absent if there is none

local args = cjson.decode(ARGV[1]) -- see ReviseArguments in revise.rs

local now = server_time()
local now_ms = math.floor(now / 1000)

-- The gateway has given this question up and decided without the store.
if args.not_after and now > args.not_after then
  return redis.error_reply('LATE the request was given up before it came to be decided')
end

-- The permit's own record knows best when it was given, and that decides the month.
local given = redis.call('HGET', open, args.id)
local at = given and tonumber(string.match(given, '^%d+')) or args.given_at
local month = at >= args.later_month_from and later_month or earlier_month
local usd, audio = tonumber(args.usd), tonumber(args.audio)
local charged_usd, charged_audio, revision
if given then
  charged_usd, charged_audio, revision = open_charge(given)
end

local requests_ahead, audio_ahead, set_back = read_rates(rates, now)
-- A correction after part of the data was lost could take a sum below zero.
local spent = redis.call('HMGET', month, 'usd', 'audio')
local spent_usd = math.max(tonumber(spent[1]) or 0, 0)
local spent_audio = math.max(tonumber(spent[2]) or 0, 0)

-- A charge that does not grow is never refused, even if a budget is exceeded already.
local function exceeds(max, spent, charged, charge)
  return max and charge > charged and math.max(spent - charged, 0) + charge > max
end

local function exceeds_session()
  if not session then
    return false
  end
  local spent = redis.call('HMGET', session, 'usd', 'audio')
  return exceeds(args.max_session_usd, math.max(tonumber(spent[1]) or 0, 0), charged_usd, usd)
    or exceeds(args.max_session_audio, math.max(tonumber(spent[2]) or 0, 0), charged_audio, audio)
end

local outcome, wait = '', 0
local is_new = false
if not charged_usd then
  outcome = 'closed'
elseif revision < args.revision then
  local audio_wait = args.audio_weight and audio_ahead + args.audio_weight - args.audio_capacity or 0
  if is_revoked(revoked_up_to, revoked_token, args.issued_at) then
    outcome = 'revoked'
  elseif audio_wait > 0 then
    outcome, wait = 'audio', audio_wait
  elseif exceeds(args.max_usd, spent_usd, charged_usd, usd) then
    outcome = 'usd'
  elseif exceeds(args.max_audio, spent_audio, charged_audio, audio) then
    outcome = 'minutes'
  elseif exceeds_session() then
    outcome = 'session'
  else
    is_new = true
  end
end

if is_new then
  local more_usd, more_audio = usd - charged_usd, audio - charged_audio
  -- The first write is one that Redis refuses when its memory is full, so that then none of them happens.
  redis.call('HINCRBY', month, 'usd', string.format('%.0f', more_usd))
  redis.call('HINCRBY', month, 'audio', string.format('%.0f', more_audio))
  redis.call('PEXPIRE', month, args.keep_month)
  redis.call('HSET', open, args.id, string.format('%.0f', at) .. ' ' .. args.record)
  redis.call('PEXPIRE', open, args.keep)
  redis.call('ZADD', leases, string.format('%.0f', now_ms + args.lease), args.id)
  redis.call('PEXPIRE', leases, args.keep)
  if session and redis.call('EXISTS', session) == 1 then
    redis.call('HINCRBY', session, 'usd', string.format('%.0f', more_usd))
    redis.call('HINCRBY', session, 'audio', string.format('%.0f', more_audio))
    keep_session(session, math.max(args.session_until, now_ms) + args.lease, now_ms)
  end
  if args.audio_weight then
    audio_ahead = audio_ahead + args.audio_weight
    write_rates(rates, now, requests_ahead, audio_ahead)
  end
  spent_usd = math.max(spent_usd + more_usd, 0)
  spent_audio = math.max(spent_audio + more_audio, 0)
elseif outcome ~= '' and set_back > 0 then
  -- By the new clock from now on, or the wait would start over with each refusal.
  write_rates(rates, now, requests_ahead, audio_ahead)
end

local in_flight = redis.call('ZCOUNT', leases, '(' .. string.format('%.0f', now_ms), '+inf')
return { outcome, wait, now, requests_ahead, audio_ahead, in_flight, spent_usd, spent_audio }
