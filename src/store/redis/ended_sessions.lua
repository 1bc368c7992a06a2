-- The scripts that open and list sessions begin with this. A maker's sessions are in two sorted sets: `list` by id, as
-- `<id> <record>` with the score 0, and `ends` by the end, in ms since 1970, as `<id>`. A blank sorts before every character of
-- an id and an exclamation mark right after the blank, so that `[<id> ` to `(<id>!` is the one member of that id.

local function drop_session(list, ends, id)
  redis.call('ZREMRANGEBYLEX', list, '[' .. id .. ' ', '(' .. id .. '!')
  redis.call('ZREM', ends, id)
end

-- The number of sessions that one script drops: more than one script adds, so that ended sessions never pile up, and few
-- enough that no other caller notices.
local max_dropped = 200

local function drop_ended(list, ends, now_ms)
  local ended = redis.call('ZRANGEBYSCORE', ends, '-inf', string.format('%.0f', now_ms), 'LIMIT', 0, max_dropped)
  for _, id in ipairs(ended) do
    drop_session(list, ends, id)
  end
end

