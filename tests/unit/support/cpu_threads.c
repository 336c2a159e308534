/* SPDX-License-Identifier: BSD-2-Clause */
/* pthread takes the memory it is given as a stack: a CPU's area but for its first page. */
#include "cpu_threads.h"

#include <pthread.h>
#include <stdlib.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>

struct job {
	void (*fn)(void *arg);
	void *arg;
};

static void *thread_main(void *arg)
{
	const struct job *j = arg;

	j->fn(j->arg);
	return NULL;
}

static void start(pthread_t *t, struct pcpu *p, struct job *j)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr) || pthread_attr_setstack(&attr, (char *)p + PAGE_SIZE, CPU_AREA_SIZE - PAGE_SIZE) ||
	    pthread_create(t, &attr, thread_main, j))
		abort();
	pthread_attr_destroy(&attr);
}

void cpu_threads_run(struct host *h, unsigned int n, void (*fn)(void *arg), void *arg)
{
	struct job j = { fn, arg };
	pthread_t thread[CPUS_MAX];
	unsigned int i;

	h->cpus = n;
	for (i = 0; i < n; i++) {
		h->cpu[i] = aligned_alloc(CPU_AREA_SIZE, CPU_AREA_SIZE);
		if (!h->cpu[i])
			abort();
		*h->cpu[i] = (struct pcpu){ .self = h->cpu[i], .host = h, .id = i };
	}
	for (i = 0; i < n; i++)
		start(&thread[i], h->cpu[i], &j);
	for (i = 0; i < n; i++)
		if (pthread_join(thread[i], NULL))
			abort();
	for (i = 0; i < n; i++)
		free(h->cpu[i]);
}
