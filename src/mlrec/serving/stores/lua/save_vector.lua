-- ARGV: stamp, values. If keys are missing, nothing is stored: the vector can be derived again.

if is_forgotten or not token or misfit() then return 0 end
redis.call('HSET', KEYS[5], 'stamp', ARGV[1], 'values', ARGV[2])
return 1
