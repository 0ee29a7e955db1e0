-- Takes a token out of a bucket, as `tenancy::TenantLimiter` does, on the server's clock.
--
-- KEYS[1] has how long the bucket took to fill when a token was last taken, in nanoseconds, and when that was,
-- in microseconds: as one number the two would have more digits than Lua's. A bucket without a key is full.
-- ARGV has the nanoseconds until the next token, and until an empty bucket is full.
-- Returns 0, or the nanoseconds until there is a token.
local interval, fill = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rest, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
local wait = rest and math.max(0, rest - (now - at) * 1000) or 0
-- More than that is left from before the clock went back.
local is_settled = wait + interval > 2 * fill
if is_settled then wait = fill end
local is_taken = wait + interval <= fill
if is_taken then wait = wait + interval end
if is_taken or is_settled then
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', wait, now), 'PX', math.ceil(wait / 1000000))
end
return is_taken and 0 or wait + interval - fill
