/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks to "check" like a Xen with one resource.  "test" builds it with one
 * CASE_... after the other; it is never run.
 */
#define noinline __attribute__((noinline, noclone))

struct vcpu {
    int id;
    int processor;
};

struct cpu_info {
    char registers[200];
    struct vcpu *current_vcpu;
    long more;
};

#define STACK_SIZE 0x8000

static inline struct vcpu *get_current(void)
{
    unsigned long sp;

    asm("mov %%rsp, %0; or %1, %0" : "=r"(sp) : "i"(STACK_SIZE - 1));

    return ((struct cpu_info *)(sp + 1) - 1)->current_vcpu;
}
#define current get_current()

#define ASSERT(text)                                   \
    asm volatile("1: ud2\n\t"                          \
                 ".pushsection .rodata.text, \"a\"\n"  \
                 "3: .asciz \"" text "\"\n\t"          \
                 ".popsection\n\t"                     \
                 ".pushsection bug_frames_3, \"a\"\n"  \
                 "2: .long 1b - 2b, 0, 0, 3b - 2b\n\t" \
                 ".popsection")

struct ops {
    void (*stay)(void);
    void (*go)(void);
};

struct liveupdate_resource {
    const char *name;
    _Bool host;
    void (*refs)(void);
    void (*save)(void);
    void (*plan)(void);
    void (*commit)(void);
    void (*resume)(void);
};

int counter;
void (*variable)(void);

noinline void wait_there(void)
{
    counter++;
}

noinline void harmless(void)
{
    counter += 2;
}

noinline void call(void (*fn)(void))
{
    fn();
    counter++;
}

noinline void note(void (*fn)(void))
{
    asm volatile("" ::"r"(fn));
}

const struct ops ops_a = {.stay = harmless, .go = harmless};
const struct ops ops_b = {.stay = harmless, .go = wait_there};

noinline void through_stay(const struct ops *o)
{
    o->stay();
    counter++;
}

noinline void through_both(const struct ops *o)
{
    o->stay();
    o->go();
    counter++;
}

noinline void helper(void)
{
#if defined(CASE_DIRECT)
    wait_there();
    counter++;
#elif defined(CASE_BESIDES)
    harmless();
    wait_there();
    counter++;
#elif defined(CASE_TAIL)
    wait_there();
#elif defined(CASE_ARGUMENT)
    call(wait_there);
    counter++;
#elif defined(CASE_NOTED)
    note(wait_there);
    counter++;
#elif defined(CASE_STAY)
    through_stay(&ops_b);
    counter++;
#elif defined(CASE_BOTH)
    through_both(&ops_b);
    counter++;
#elif defined(CASE_VARIABLE)
    variable();
    counter++;
#elif defined(CASE_STI)
    asm volatile("sti");
#elif defined(CASE_ASSERT)
    ASSERT("local_irq_is_enabled()");
#elif defined(CASE_ASSERT_OFF)
    ASSERT("!local_irq_is_enabled()");
#elif defined(CASE_CURRENT)
    counter = current->id;
#elif defined(CASE_PROCESSOR)
    counter = current->processor;
#else
    harmless();
    counter++;
#endif
}

noinline void elsewhere(void)
{
    variable = wait_there;
    wait_there();
    counter++;
}

__attribute__((section(".init.text"))) void boot(void)
{
    counter = 0;
}

static noinline void save_a(void)
{
    helper();
    counter++;
}

#if defined(CASE_ASSERT) || defined(CASE_ASSERT_OFF)
/* The linker makes its symbols for those who ask. */
extern const char __stop_bug_frames_3[];
const char *const end_of_frames = __stop_bug_frames_3;
#endif

static const struct liveupdate_resource a = {.name = "a", .save = save_a};
const struct liveupdate_resource *const liveupdate_resources[] = {&a, 0};
