-- Removes a session from its maker's list.

local args = cjson.decode(ARGV[1]) -- see ForgetArguments in sessions.rs

drop_session(KEYS[1], KEYS[2], args.id)
