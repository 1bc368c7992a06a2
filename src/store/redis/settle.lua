-- Replaces the estimate of a permit by its real cost, writes its record and ends its lease. Once: a settlement closes an
-- open permit, and charges one that is not open only if neither a mark nor a record shows an earlier settlement.

local leases, open = KEYS[1], KEYS[2]
local earlier_month, later_month = KEYS[3], KEYS[4] -- the same month, except around the turn of one
local earlier_totals, later_totals = KEYS[5], KEYS[6] -- what is settled of all callers of the tag in that month
local earlier_callers, later_callers = KEYS[7], KEYS[8] -- those callers by what they spent
local ledger, closed = KEYS[9], KEYS[10] -- records; permits that are settled or taken back
local request = KEYS[11] -- the position of the record, by which it is found
local session = KEYS[12] -- the charges of the session; absent if there is none

local args = cjson.decode(ARGV[1]) -- see SettleArguments in settle.rs

local now = server_time()
local now_ms = math.floor(now / 1000)

local function holds(page)
  for _, entry in ipairs(page) do
    if entry[2][2] == args.id then
      return true
    end
  end
  return false
end

local function was_settled()
  if redis.call('ZSCORE', closed, args.id) then
    return true
  end
  local from = args.written_since
  while from do
    local page = redis.call('XRANGE', ledger, from, '+', 'COUNT', 256)
    if holds(page) then
      return true
    end
    from = #page == 256 and '(' .. page[#page][1] or nil
  end
  return false
end

-- The permit's own record knows best when it was given.
local given = redis.call('HGET', open, args.id)
local at = given and tonumber(string.match(given, '^%d+')) or args.given_at
local month, totals, callers = earlier_month, earlier_totals, earlier_callers
if at >= args.later_month_from then
  month, totals, callers = later_month, later_totals, later_callers
end

-- These writes free memory, so Redis lets them happen when its memory is full; after them the rest may happen, too.
local known = redis.call('HDEL', open, args.id) == 1
redis.call('ZREM', leases, args.id)

-- A session that has ended is not started again. One that has not ended may be unknown: it was started without the store.
local function charge_session(with_usd, with_audio)
  local is_known = session and redis.call('EXISTS', session) == 1
  if is_known or session and now_ms < args.session_until then
    redis.call('HINCRBY', session, 'usd', with_usd)
    redis.call('HINCRBY', session, 'audio', with_audio)
    if not is_known then
      redis.call('PEXPIREAT', session, string.format('%.0f', args.session_until))
    end
  end
end

if known then
  -- Its record also knows the charge, which the gateway does not if the answer to a revision was lost.
  local charged_usd, charged_audio = open_charge(given)
  local more_usd = string.format('%.0f', tonumber(args.usd) - (charged_usd or args.estimate_usd))
  local more_audio = string.format('%.0f', tonumber(args.audio) - (charged_audio or args.estimate_audio))
  if more_usd ~= '0' then
    redis.call('HINCRBY', month, 'usd', more_usd)
  end
  if more_audio ~= '0' then
    redis.call('HINCRBY', month, 'audio', more_audio)
  end
  charge_session(more_usd, more_audio)
elseif args.charge_unknown and not was_settled() then
  redis.call('HINCRBY', month, 'requests', 1)
  redis.call('HINCRBY', month, 'usd', args.usd)
  redis.call('HINCRBY', month, 'audio', args.audio)
  charge_session(args.usd, args.audio)
else
  return now
end

-- Returns the number of requests of the group.
local function count_in(sums, group)
  redis.call('HINCRBY', sums, group .. ':usd', args.usd)
  redis.call('HINCRBY', sums, group .. ':audio', args.audio)
  return redis.call('HINCRBY', sums, group .. ':requests', 1)
end

local day, model = 'day:' .. args.day, 'model:' .. args.model
count_in(month, day)
count_in(month, model)
redis.call('PEXPIRE', month, args.keep_month)
count_in(totals, model)
redis.call('ZINCRBY', callers, args.usd, args.subject)
if count_in(totals, day) == 1 then
  -- Once a day is often enough for what is kept for so long.
  redis.call('PEXPIRE', totals, args.keep_month)
  redis.call('PEXPIRE', callers, args.keep_month)
end

redis.call('ZADD', closed, string.format('%.0f', now_ms), args.id)
redis.call('ZREMRANGEBYSCORE', closed, '-inf', string.format('%.0f', now_ms - args.keep_mark))
redis.call('PEXPIRE', closed, string.format('%.0f', args.keep_mark))
local position = redis.call('XADD', ledger, 'MINID', '~', string.format('%.0f', now_ms - args.keep), record_id(), 'id',
  args.id, 'subject', args.subject, 'record', args.record)
redis.call('PEXPIRE', ledger, string.format('%.0f', args.keep))
redis.call('SET', request, position, 'PX', args.keep_request)
return now
