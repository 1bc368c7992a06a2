-- The revocation of a token, and the charges of its session. The scripts that charge a permit begin with this.

-- Returns true if the token is revoked: with all that were issued up to a second, or by its id. A token without an id has one key
-- for both, and one without a time of issue may be of any age.
local function is_revoked(revoked_up_to, revoked_token, issued_at)
  local revoked = redis.call('MGET', revoked_up_to, revoked_token)
  if revoked[1] and (not issued_at or issued_at <= tonumber(revoked[1])) then
    return true
  end
  return revoked_token ~= revoked_up_to and revoked[2]
end

-- Keeps the charges of a session until this time, in ms since 1970, or for as long as another request of the session needs them.
local function keep_session(session, until_ms, now_ms)
  if redis.call('PTTL', session) < until_ms - now_ms then
    redis.call('PEXPIREAT', session, string.format('%.0f', until_ms))
  end
end

