/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only program of the Linux guest: gives the kernel the same small pieces of work again and
 * again, or measures time (clocks.c). It never sleeps, as a fork may run without timer interrupts.
 * Static, without libc's help where that would hide a system call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest_status.h"
#include "init.h"

#define PAGES 4
#define PAGE 4096
#define BOOT_ROUNDS 32

static int kmsg = -1;

/* The kernel's log goes to its console, a port, one OUT for each character. */
static void say(const char *text)
{
    if (write(kmsg, text, strlen(text)) < 0)
        _exit(1);
}

void need(int ok, const char *what)
{
    char line[80];

    if (ok)
        return;
    snprintf(line, sizeof line, "<3>init: %s failed\n", what);
    say(line);
    _exit(1);
}

/* Through physical memory that the memory map keeps the kernel away from. */
void report(uint32_t code, uint64_t value)
{
    const struct guest_status status = {.magic = GUEST_STATUS_MAGIC, .code = code, .value = value};
    int memory = open("/dev/mem", O_RDWR | O_SYNC);

    need(memory >= 0, "open /dev/mem");
    need(pwrite(memory, &status, sizeof status, GUEST_STATUS_GPA) == sizeof status,
         "write to /dev/mem");
    close(memory);
}

/* The kernel drops most of what init says otherwise. */
static void log_everything(void)
{
    int setting = open("/proc/sys/kernel/printk_devkmsg", O_WRONLY);

    need(setting >= 0 && write(setting, "on\n", 3) == 3, "printk_devkmsg");
    close(setting);
}

static void work_file(uint64_t round)
{
    char text[64];
    int file = open("/tmp/rounds", O_CREAT | O_RDWR | O_APPEND, 0600);
    int length = snprintf(text, sizeof text, "round %llu\n", (unsigned long long)round);

    need(file >= 0 && write(file, text, (size_t)length) == length, "file");
    close(file);
    if (round % 64 == 0)
        need(unlink("/tmp/rounds") == 0, "unlink");
}

static void work_proc(void)
{
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY);

    need(file >= 0 && read(file, text, sizeof text) > 0, "/proc");
    close(file);
}

static void work_memory(uint64_t round)
{
    volatile uint64_t *memory =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    need(memory != MAP_FAILED, "mmap");
    for (size_t i = 0; i < PAGES; i++)
        memory[i * PAGE / sizeof *memory] = round + i;
    need(munmap((void *)memory, PAGES * PAGE) == 0, "munmap");
}

static void work_pipe(uint64_t round)
{
    uint64_t got = 0;
    int ends[2];

    need(pipe(ends) == 0, "pipe");
    need(write(ends[1], &round, sizeof round) == sizeof round &&
             read(ends[0], &got, sizeof got) == sizeof got && got == round,
         "pipe transfer");
    close(ends[0]);
    close(ends[1]);
}

static void work_process(void)
{
    int status = -1;
    pid_t child = fork();

    need(child >= 0, "fork");
    if (child == 0)
        _exit((int)syscall(SYS_getpid) & 0x3f);
    need(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
             WEXITSTATUS(status) == (child & 0x3f),
         "wait");
}

static void work_log(uint64_t round)
{
    char line[64];

    snprintf(line, sizeof line, "<3>init: round %llu\n", (unsigned long long)round);
    say(line);
}

/* One at an address that stays, which the linker gives to the section: a recording of the boot ends
 * here (record --until-rip), however many exits it took to get here. */
static void boot_end(void)
{
    uint32_t a = 0, b, c = 0, d;

    __asm__ volatile("jmp 1f\n\t"
                     ".pushsection .boot_end, \"ax\"\n"
                     "1:\tcpuid\n\t"
                     "jmp 2f\n\t"
                     ".popsection\n"
                     "2:"
                     : "+a"(a), "=b"(b), "+c"(c), "=d"(d)::"memory");
}

/* User mode with exits that come whatever the kernel does, between work of both. */
static void end_boot(void)
{
    for (uint32_t round = 0; round < BOOT_ROUNDS; round++) {
        work_memory(round);
        work_pipe(round);
        cpuid(round % 2);
    }
    boot_end();
}

/* Words of the kernel's command line that the kernel does not know are arguments. */
int main(int argc, char **argv)
{
    kmsg = mount("dev", "/dev", "devtmpfs", 0, NULL) == 0 ? open("/dev/kmsg", O_WRONLY) : -1;
    if (kmsg < 0)
        return 1;
    need(mkdir("/proc", 0755) == 0 && mount("proc", "/proc", "proc", 0, NULL) == 0, "mount /proc");
    need(mkdir("/tmp", 0755) == 0 && mount("tmp", "/tmp", "tmpfs", 0, NULL) == 0, "mount /tmp");
    log_everything();
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "clocks") == 0)
            measure_clocks();
    end_boot();
    for (uint64_t round = 0;; round++) {
        work_file(round);
        work_proc();
        work_memory(round);
        work_pipe(round);
        work_process();
        work_log(round);
        if (round == 2) /* by now all of it has run once, and is in the page cache */
            report(GUEST_READY, 0);
    }
}
