-- The time of this server. Every script begins with this.

-- Returns the time in microseconds since 1970.
local function server_time()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Has a key expire after this many milliseconds of the server's time.
local function expire(key, ms)
  redis.call('PEXPIRE', key, string.format('%.0f', ms))
end

-- Returns the id of a new record in a stream: the server's time.
local function record_id()
  return '*'
end

