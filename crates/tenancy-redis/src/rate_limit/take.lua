-- Takes ARGV[3] tokens of the bucket KEYS[1], which gets a token every ARGV[1] microseconds and holds ARGV[2] tokens.
-- The key holds the time at which the bucket will be full (GCRA).
-- Returns whether the tokens were taken, the tokens left, the microseconds to wait, and those until the bucket is full.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local latest = now + interval * burst
-- A later time is from before the clock was set back: the bucket is empty.
local full = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or 0) or 0, now), latest)
local after = full + interval * cost
if after > latest then
    return {0, math.floor((latest - full + 0.5) / interval), math.ceil(after - latest), math.ceil(full - now)}
end
if cost > 0 then
    redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.ceil((after - now) / 1000))
end
return {1, math.floor((latest - after + 0.5) / interval), 0, math.ceil(after - now)}
