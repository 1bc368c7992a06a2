-- Puts the real cost of a permit in the place of its estimate, writes its record and ends its lease. Once: a permit that
-- is open is closed by it, and one that is not is charged only if neither a mark nor a record says that this was done before.

local leases, open = KEYS[1], KEYS[2]
local earlier_month, later_month, ledger = KEYS[3], KEYS[4], KEYS[5] -- the same month, but around the turn of one
local closed = KEYS[6] -- permits that are settled or taken back
local session = KEYS[7] -- what is charged in it; not given where there is none

local id = ARGV[1]
local usd_difference, audio_difference = ARGV[2], ARGV[3] -- the cost without the estimate; may be negative
local usd, audio = ARGV[4], ARGV[5] -- the cost
local charge_unknown = ARGV[6] == '1'
local written_since = ARGV[7] -- ms: a record of it without a mark can be no older; '': where there is no mark there is none
local given_at, later_from = tonumber(ARGV[8]), tonumber(ARGV[9]) -- ms
local day, model = ARGV[10], ARGV[11]
local subject, record = ARGV[12], ARGV[13]
local keep, keep_month = tonumber(ARGV[14]), ARGV[15] -- ms
local session_until = tonumber(ARGV[16]) -- ms; '': no session with caps
local keep_mark = tonumber(ARGV[17]) -- ms

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)

local function holds(page)
  for _, entry in ipairs(page) do
    if entry[2][2] == id then
      return true
    end
  end
  return false
end

local function was_settled()
  if redis.call('ZSCORE', closed, id) then
    return true
  end
  local from = written_since
  while from ~= '' do
    local page = redis.call('XRANGE', ledger, from, '+', 'COUNT', 256)
    if holds(page) then
      return true
    end
    from = #page == 256 and '(' .. page[#page][1] or ''
  end
  return false
end

-- When it was given, its own record knows best.
local given = redis.call('HGET', open, id)
local at = given and tonumber(string.match(given, '^%d+')) or given_at
local month = at >= later_from and later_month or earlier_month

-- Not a write that grows anything, and so one that Redis lets happen when its memory is full; after it the rest may too.
local known = redis.call('HDEL', open, id) == 1
redis.call('ZREM', leases, id)
-- A session that has ended is not begun again. One that has not may be unknown: it was begun without the store.
local function charge_session(with_usd, with_audio)
  local is_known = session and redis.call('EXISTS', session) == 1
  if is_known or session and now_ms < session_until then
    redis.call('HINCRBY', session, 'usd', with_usd)
    redis.call('HINCRBY', session, 'audio', with_audio)
    if not is_known then
      redis.call('PEXPIREAT', session, string.format('%.0f', session_until))
    end
  end
end

if known then
  if usd_difference ~= '0' then
    redis.call('HINCRBY', month, 'usd', usd_difference)
  end
  if audio_difference ~= '0' then
    redis.call('HINCRBY', month, 'audio', audio_difference)
  end
  charge_session(usd_difference, audio_difference)
elseif charge_unknown and not was_settled() then
  redis.call('HINCRBY', month, 'requests', 1)
  redis.call('HINCRBY', month, 'usd', usd)
  redis.call('HINCRBY', month, 'audio', audio)
  charge_session(usd, audio)
else
  return now
end

for _, group in ipairs({ 'day:' .. day, 'model:' .. model }) do
  redis.call('HINCRBY', month, group .. ':requests', 1)
  redis.call('HINCRBY', month, group .. ':usd', usd)
  redis.call('HINCRBY', month, group .. ':audio', audio)
end
redis.call('PEXPIRE', month, keep_month)

redis.call('ZADD', closed, string.format('%.0f', now_ms), id)
redis.call('ZREMRANGEBYSCORE', closed, '-inf', string.format('%.0f', now_ms - keep_mark))
redis.call('PEXPIRE', closed, string.format('%.0f', keep_mark))
redis.call('XADD', ledger, 'MINID', '~', string.format('%.0f', now_ms - keep), '*', 'id', id, 'subject', subject,
  'record', record)
redis.call('PEXPIRE', ledger, string.format('%.0f', keep))
return now
