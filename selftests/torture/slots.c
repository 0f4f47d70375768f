// SPDX-License-Identifier: GPL-2.0
/*
 * Who owns which slot, and what it holds. A token is one word: whoever changes it
 * from free to its own name may read and write the slot, by any path; when it
 * gives it back the token says how often the slot has been written. What a word
 * holds is made of where it is and of that count, so that a wrong word tells where
 * it comes from.
 */
#include "torture.h"

/* Of a token, from bit 0: the count, how, the owner, the generation. */
#define COUNT_BITS	24
#define OWNER_SHIFT	32
#define GEN_SHIFT	48

/* A writer died, or was refused, in the middle; "how" is the span then. */
#define OWNER_TORN	0xffffU

#define MAGIC		5ULL
#define SCRAMBLE	0x9e3779b97f4a7c15ULL

static uint64_t key, unscramble;

static uint64_t make_token(uint32_t gen, uint32_t owner, uint8_t how, uint32_t count)
{
	return (uint64_t)(gen & 0xffff) << GEN_SHIFT | (uint64_t)owner << OWNER_SHIFT |
	       (uint64_t)how << COUNT_BITS | (count & ((1U << COUNT_BITS) - 1));
}

static uint32_t token_owner(uint64_t token)
{
	return token >> OWNER_SHIFT & 0xffff;
}

static void claim_from(struct claim *c, uint64_t token)
{
	uint8_t how = token >> COUNT_BITS & 0xff;
	bool torn = token_owner(token) == OWNER_TORN;

	c->count = token & ((1U << COUNT_BITS) - 1);
	c->span = torn ? how : 0;
	c->by = torn ? NR_PATHS : how;
}

void slots_init(void)
{
	key = w->seed * 0xd6e8feb86659fd93ULL;
	unscramble = SCRAMBLE;
	for (int i = 0; i < 6; i++)
		unscramble *= 2 - SCRAMBLE * unscramble;
}

void slots_reset(struct buffer *b, uint32_t gen)
{
	for (uint32_t i = 0; i < b->size / SLOT; i++)
		set(&b->tokens[i], make_token(gen, 0, NR_PATHS, 0));
}

bool slot_claim(struct actor *a, struct buffer *b, uint32_t gen, uint32_t slot,
		struct claim *c)
{
	uint64_t token = get(&b->tokens[slot]), mine;
	uint32_t owner = token_owner(token);

	if (token >> GEN_SHIFT != (gen & 0xffff) || (owner && owner != OWNER_TORN))
		return false;
	*c = (struct claim) { .buffer = b, .gen = gen, .slot = slot };
	claim_from(c, token);
	mine = make_token(gen, a - w->actors + 1, c->span, c->count);
	set(&a->claimed, b->index);
	set(&a->slot, slot);
	return __atomic_compare_exchange_n(&b->tokens[slot], &token, mine, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Should the buffer have been replaced, the slot is not ours any more. */
void slot_release(struct actor *a, const struct claim *c)
{
	uint64_t *token = &c->buffer->tokens[c->slot], mine = get(token);

	if (token_owner(mine) != a - w->actors + 1 || mine >> GEN_SHIFT != (c->gen & 0xffff))
		return;
	__atomic_compare_exchange_n(token, &mine,
				    make_token(c->gen, c->span ? OWNER_TORN : 0,
					       c->span ?: c->by, c->count),
				    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/*
 * An actor that was killed may have written part of what it was about to write,
 * and a device that it had set to work may still be about to. Nobody gets the slot
 * of a buffer that was revoked.
 */
void slot_recover(struct actor *dead)
{
	struct buffer *b = &w->buffers[dead->claimed];
	uint64_t *token = &b->tokens[dead->slot], mine = get(token);
	uint8_t span = mine >> COUNT_BITS & 0xff;

	if (token_owner(mine) != dead - w->actors + 1 ||
	    !buffer_wait_devices(b, mine >> GEN_SHIFT))
		return;
	did(dead, DID_TORN);
	__atomic_compare_exchange_n(token, &mine,
				    make_token(mine >> GEN_SHIFT, OWNER_TORN, span + 1,
					       mine), false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The same as a claim, when everybody else is gone. */
void slot_peek(struct buffer *b, uint32_t slot, struct claim *c)
{
	*c = (struct claim) { .buffer = b, .gen = b->gen, .slot = slot };
	claim_from(c, get(&b->tokens[slot]));
}

static uint64_t encode(unsigned int buffer, uint32_t gen, uint64_t word, uint32_t count)
{
	uint64_t v = MAGIC << 61 | (uint64_t)buffer << 55 | (uint64_t)(gen & 0xff) << 47 |
		     word << COUNT_BITS | count;

	if (!count)
		return 0;	/* as it came from the exporter */
	v = (v ^ key) * SCRAMBLE;
	return v ^ v >> 32;
}

static uint64_t decode(uint64_t v)
{
	v ^= v >> 32;
	return v * unscramble ^ key;
}

void slot_fill(const struct claim *c, uint32_t count, uint64_t *words)
{
	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = encode(c->buffer->index, c->gen, c->slot * WORDS + i, count);
}

static void complain(const struct claim *c, unsigned int i, uint64_t value,
		     unsigned int wrong, enum path by, const char *where)
{
	uint64_t v = decode(value), word = c->slot * WORDS + i;
	unsigned int buffer = v >> 55 & 0x3f, gen = v >> 47 & 0xff;
	unsigned int count = v & ((1U << COUNT_BITS) - 1);
	uint64_t from = v >> COUNT_BITS & ((1U << 23) - 1);
	enum bad kind = BAD_FOREIGN;
	char what[96];

	if (!value || v >> 61 != MAGIC || buffer >= w->nr_buffers) {
		kind = BAD_LOST;
		snprintf(what, sizeof(what), "%#llx", (unsigned long long)value);
	} else {
		if (buffer == c->buffer->index && gen == (c->gen & 0xff) && from == word)
			kind = BAD_STALE;
		snprintf(what, sizeof(what), "write %u to %#llx of buffer %u.%u", count,
			 (unsigned long long)from * 8, buffer, gen);
	}
	bad(kind, "buffer %u.%u at %#llx: %s, not %u%s; %u words; written by %s, read by %s%s%s",
	    c->buffer->index, c->gen, (unsigned long long)word * 8, what, c->count,
	    c->span ? " or later" : "", wrong,
	    c->by < NR_PATHS ? path_names[c->by] : "nobody", path_names[by],
	    where ? ", " : "", where ?: "");
}

/* Does the slot hold what it must? Complains if not. */
bool slot_check(struct actor *a, const struct claim *c, const uint64_t *words,
		enum path by, const char *where)
{
	unsigned int wrong = 0, first = 0;

	for (unsigned int i = 0; i < WORDS; i++) {
		bool right = false;

		for (unsigned int n = 0; n <= c->span && !right; n++)
			right = words[i] == encode(c->buffer->index, c->gen,
						   c->slot * WORDS + i, c->count + n);
		if (!right && !wrong++)
			first = i;
	}
	set(&a->bytes, a->bytes + SLOT);
	add(&w->lost, wrong * sizeof(*words));
	if (wrong)
		complain(c, first, words[first], wrong, by, where);
	return !wrong;
}
