-- Extends the lease of the owner ARGV[1] to ARGV[2] microseconds from now. Returns 1, or 0 if the lease was lost.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local lease = redis.call('HMGET', KEYS[1], 'owner', 'until')
if lease[1] ~= ARGV[1] or tonumber(lease[2] or 0) <= now then
    return 0
end
local ttl = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ttl))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(ttl / 1000) + 86400000))
return 1
