/* Sets the wall clock of wfx alone: the file CLOCK_STEP names has by how many seconds it is off.
 * The monotonic clocks are those of the system. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *file;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  file = getenv("CLOCK_STEP");
  real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}

static long step(void) {
  char text[32] = "";
  int error = errno;
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
    close(fd);
  }
  errno = error;
  return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *to) {
  if (!real) begin();
  int done = real(clock, to);
  if (!done && clock == CLOCK_REALTIME && file) to->tv_sec += step();
  return done;
}
