-- Releases the lock KEYS[1] of the owner ARGV[1]. Returns 1, or 0 if the lease was lost.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local lease = redis.call('HMGET', KEYS[1], 'owner', 'until')
if lease[1] ~= ARGV[1] then
    return 0
end
redis.call('HDEL', KEYS[1], 'owner', 'until')
redis.call('PEXPIRE', KEYS[1], 86400000)
if tonumber(lease[2] or 0) <= now then
    return 0
end
return 1
