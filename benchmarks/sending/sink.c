/* An SMTP server that takes everything and keeps nothing, on 127.0.0.1: one thread, epoll.

   sink DELAY_MS PIPELINING: prints its port; each answer leaves DELAY_MS after its question came; PIPELINING 1 offers it.
   On SIGUSR1 it prints how many messages it took, the nanoseconds of CLOCK_MONOTONIC at the first and the last, and how
   many bytes were read. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096
#define ROOM 262144

struct line { long long due; int fd; unsigned life; int size; char text[96]; };
struct talk { int is_open, in_body, size; unsigned life; char *unread; };

static struct talk talks[MOST];
static struct line *late;  /* a ring of answers that wait, in the order in which they are due */
static size_t late_size = 1 << 16, late_first, late_count;
static long long delay, first_at, last_at, taken, bytes;
static int offers_pipelining;
static volatile sig_atomic_t is_asked;

static long long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void ask(int number) { (void)number; is_asked = 1; }

static void hang_up(int fd) { close(fd); talks[fd].is_open = 0; talks[fd].life++; }

static void put(int fd, const char *text, int size) {
    if (write(fd, text, size) != size) hang_up(fd);
}

static void answer(int fd, const char *text, char *batch, int *batched) {
    int size = strlen(text);
    if (!delay) { memcpy(batch + *batched, text, size); *batched += size; return; }
    if (late_count == late_size) abort();
    struct line *one = &late[(late_first + late_count++) % late_size];
    one->due = now() + delay; one->fd = fd; one->life = talks[fd].life; one->size = size;
    memcpy(one->text, text, size);
}

static void read_on(int fd) {
    struct talk *talk = &talks[fd];
    char batch[8192];
    int batched = 0;
    ssize_t got = read(fd, talk->unread + talk->size, ROOM - talk->size);
    if (got <= 0) { if (got == 0 || errno != EAGAIN) hang_up(fd); return; }
    talk->size += got;
    bytes += got;
    char *at = talk->unread, *end = at + talk->size;
    while (at < end) {
        if (talk->in_body) {
            char *dot = memmem(at, end - at, "\r\n.\r\n", 5);
            if (!dot) { if (end - at > 4) at = end - 4; break; }
            at = dot + 5;
            talk->in_body = 0;
            last_at = now();
            if (!taken++) first_at = last_at;
            answer(fd, "250 2.0.0 taken\r\n", batch, &batched);
            continue;
        }
        char *line_end = memmem(at, end - at, "\r\n", 2);
        if (!line_end) break;
        if (!strncasecmp(at, "DATA", 4)) { talk->in_body = 1; answer(fd, "354 go on\r\n", batch, &batched); }
        else if (!strncasecmp(at, "EHLO", 4))
            answer(fd, offers_pipelining ? "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n"
                                         : "250-sink\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n", batch, &batched);
        else if (!strncasecmp(at, "QUIT", 4)) answer(fd, "221 bye\r\n", batch, &batched);
        else answer(fd, "250 ok\r\n", batch, &batched);
        at = line_end + 2;
        /* The two bytes before the first line of a body are its line break: a body may be a lone dot. */
        if (talk->in_body) at -= 2;
        if (batched > 8000) { put(fd, batch, batched); batched = 0; if (!talk->is_open) return; }
    }
    talk->size = end - at;
    memmove(talk->unread, at, talk->size);
    if (batched) put(fd, batch, batched);
}

/* Send what is due, and have the timer ring when the next is. */
static void go_on(int timer) {
    while (late_count) {
        struct line *one = &late[late_first];
        if (one->due > now()) {
            struct itimerspec at = {.it_value = {one->due / 1000000000LL, one->due % 1000000000LL}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
            return;
        }
        if (talks[one->fd].is_open && talks[one->fd].life == one->life) put(one->fd, one->text, one->size);
        late_first = (late_first + 1) % late_size; late_count--;
    }
}

int main(int count, char **words) {
    delay = count > 1 ? atoll(words[1]) * 1000000LL : 0;
    offers_pipelining = count > 2 && atoi(words[2]);
    late = malloc(late_size * sizeof *late);
    struct sigaction action = {.sa_handler = ask};
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    if (bind(door, (struct sockaddr *)&place, size) || listen(door, 1024)) return 1;
    getsockname(door, (struct sockaddr *)&place, &size);
    printf("%d\n", ntohs(place.sin_port));
    fflush(stdout);
    int poll = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = door}, found[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &wanted);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    wanted.data.fd = timer;
    epoll_ctl(poll, EPOLL_CTL_ADD, timer, &wanted);
    for (;;) {
        go_on(timer);
        int ready = epoll_wait(poll, found, 256, -1);
        if (is_asked) { is_asked = 0; printf("%lld %lld %lld %lld\n", taken, first_at, last_at, bytes); fflush(stdout); }
        for (int each = 0; each < ready; each++) {
            int fd = found[each].data.fd;
            long long rung;
            if (fd == timer) { (void)!read(timer, &rung, sizeof rung); continue; }
            if (fd != door) { if (talks[fd].is_open) read_on(fd); continue; }
            for (;;) {
                int guest = accept4(door, NULL, NULL, SOCK_NONBLOCK);
                if (guest < 0) break;
                if (guest >= MOST) { close(guest); continue; }
                setsockopt(guest, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                struct talk *talk = &talks[guest];
                if (!talk->unread) talk->unread = malloc(ROOM);
                talk->is_open = 1; talk->in_body = 0; talk->size = 0;
                wanted.data.fd = guest;
                epoll_ctl(poll, EPOLL_CTL_ADD, guest, &wanted);
                char batch[64]; int batched = 0;
                answer(guest, "220 sink\r\n", batch, &batched);
                if (batched) put(guest, batch, batched);
            }
        }
    }
}
