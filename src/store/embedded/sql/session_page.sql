-- ?1 maker, ?2 id after which the page begins, '' for the beginning, ?3 now, ?4 how many. In the order of the primary key: it
-- reads no more than it returns, but for those that ended a moment ago.
SELECT record FROM sessions WHERE creator = ?1 AND id > ?2 AND until > ?3 ORDER BY creator, id LIMIT ?4;
