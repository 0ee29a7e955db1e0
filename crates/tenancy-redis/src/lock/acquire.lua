-- Acquires the lock KEYS[1] for the owner ARGV[1], for ARGV[2] microseconds.
-- Returns the fencing token, or 0 and the microseconds until the lock expires.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local lease = redis.call('HMGET', KEYS[1], 'owner', 'until', 'token')
local owner, expiry, last = lease[1], tonumber(lease[2] or 0), tonumber(lease[3] or 0)
if owner and owner ~= ARGV[1] and expiry > now then
    return {0, expiry - now}
end
-- A request that was sent again gets the token of the first one.
local token = last
if owner ~= ARGV[1] or expiry <= now then
    token = math.max(now, last + 1)
end
local ttl = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'owner', ARGV[1],
    'until', string.format('%.0f', now + ttl), 'token', string.format('%.0f', token))
-- The token outlives the lease by a day, so that tokens increase even if the clock is set back.
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(ttl / 1000) + 86400000))
return {token, 0}
