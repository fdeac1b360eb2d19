//! What must happen in one step: Redis runs a script as a whole, or not at all.
//!
//! The end of a job begins with its acknowledgement. Of two workers that did the same job only
//! one is told that it took an entry away, and only that one goes on; the same holds for one
//! worker that asks again because it did not hear the answer.

/// `KEYS[1]` is the stream of jobs, `ARGV[1]` the group, `ARGV[2]` the entry.
macro_rules! ended {
    ($rest:literal) => {
        concat!(
            "if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end\n",
            "redis.call('XDEL', KEYS[1], ARGV[2])\n",
            $rest,
            "\nreturn 1"
        )
    };
}

/// `KEYS[2]` is the place of the outcome `ARGV[3]`, which expires after `ARGV[4]` seconds.
pub(crate) const DONE: &str = ended!(
    "redis.call('DEL', KEYS[2])
     redis.call('XADD', KEYS[2], '*', 'outcome', ARGV[3])
     redis.call('EXPIRE', KEYS[2], ARGV[4])"
);

/// The job `ARGV[3]` goes to the sorted set `KEYS[2]`, for `ARGV[4]` milliseconds.
pub(crate) const RETRY: &str = ended!(
    "local time = redis.call('TIME')
     local now = time[1] * 1000 + math.floor(time[2] / 1000)
     redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[3])"
);

/// What was to be a job, `ARGV[3]`, goes to the stream `KEYS[2]` with the error `ARGV[4]`. If it
/// was one, its outcome is as in `DONE`, from `KEYS[3]`, `ARGV[5]` and `ARGV[6]`.
pub(crate) const DEAD: &str = ended!(
    "redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'job', ARGV[3], 'error', ARGV[4])
     if KEYS[3] then
         redis.call('DEL', KEYS[3])
         redis.call('XADD', KEYS[3], '*', 'outcome', ARGV[5])
         redis.call('EXPIRE', KEYS[3], ARGV[6])
     end"
);

/// Jobs of the sorted set `KEYS[1]` whose time has come go to the stream `KEYS[2]`.
pub(crate) const WAKE: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
    for _, job in ipairs(due) do
        redis.call('ZREM', KEYS[1], job)
        redis.call('XADD', KEYS[2], '*', 'job', job)
    end
    return #due";
