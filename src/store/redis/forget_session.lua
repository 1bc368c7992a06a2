-- Lists a session no longer.

drop_session(KEYS[1], KEYS[2], ARGV[1])
