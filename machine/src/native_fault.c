/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Catching what the host's processor refuses in a thunk.  Signals are the process's: the handlers
 * look at the faulting address alone, and hand everything that is not in a thunk of this thread's
 * cache to whoever was there before.  The state they need is this file's only mutable one.
 */
#include "native_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

static _Thread_local struct native_cache *claimed;

static const int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static struct sigaction previous[SIGNALS];
static pthread_mutex_t installing = PTHREAD_MUTEX_INITIALIZER;

/* A #PF in a thunk is the caller's defect, not the guest's. */

static bool is_guest_fault(greg_t vector)
{
    return vector == 0 || vector == 6 || vector == 13 || vector == 16 || vector == 17 ||
           vector == 19;
}

static void hand_on(int signal, siginfo_t *info, void *context)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        const struct sigaction *old = &previous[i];
        if (signals[i] != signal)
            continue;
        if (old->sa_flags & SA_SIGINFO)
            old->sa_sigaction(signal, info, context);
        else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
            old->sa_handler(signal);
        else
            sigaction(signal, old, NULL); /* happens again, and ends the process */
    }
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    ucontext_t *ucontext = context;
    greg_t *regs = ucontext->uc_mcontext.gregs;
    uint64_t go_on, rip = (uint64_t)regs[REG_RIP];
    bool guest = is_guest_fault(regs[REG_TRAPNO]);
    for (const struct native_cache *cache = claimed; cache; cache = native_cache_outer(cache)) {
        if (guest && native_cache_resolve(cache, rip, &go_on))
            regs[REG_RAX] = NATIVE_FAULT | regs[REG_TRAPNO];
        else if (!guest || !native_cache_resolve_extra(cache, rip, &go_on))
            continue;
        regs[REG_RIP] = (greg_t)go_on;
        return;
    }
    hand_on(signal, info, context);
}

/* Each time: whoever has set handlers since then (a test's frame, a library) goes behind ours. */
static int install(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER}, old;
    int error = 0;
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    pthread_mutex_lock(&installing);
    for (size_t i = 0; i < SIGNALS && !error; i++) {
        if (sigaction(signals[i], NULL, &old) != 0)
            error = -errno;
        else if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != on_signal) {
            previous[i] = old;
            error = sigaction(signals[i], &action, NULL) ? -errno : 0;
        }
    }
    pthread_mutex_unlock(&installing);
    return error;
}

int native_enter(struct native_cache *cache)
{
    int error = install();
    if (error)
        return error;
    native_cache_set_outer(cache, claimed);
    claimed = cache;
    return 0;
}

void native_leave(struct native_cache *cache)
{
    claimed = native_cache_outer(cache);
}
