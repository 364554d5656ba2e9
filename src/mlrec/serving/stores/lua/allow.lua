redis.call('HDEL', KEYS[1], 'forgotten_at')
redis.call('DEL', KEYS[4])
return is_forgotten and 1 or 0
