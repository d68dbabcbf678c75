/* Moves the wall clock of a process by as many seconds as FAKETIME says: LD_PRELOAD=clock.so FAKETIME=+86400.
   The monotonic clock stays as it is, for it is what everything waits by.
   libfaketime, whose variable this is, does the same and much more. With its release 0.9.10, which Debian 12 has,
   Python's time.sleep fails if the monotonic clock is left alone, and a wait for a lock never ends if it is not. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t ahead;

__attribute__((constructor)) static void begin(void) {
    const char *seconds = getenv("FAKETIME");
    ahead = seconds ? atoll(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}

/* A Python for old systems waits until a time of the wall clock. */
int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    struct timespec real = {until->tv_sec - ahead, until->tv_nsec};
    int (*wait)(sem_t *, const struct timespec *) = dlsym(RTLD_NEXT, "sem_timedwait");
    return wait(semaphore, &real);
}
