/*
 * SpscRing (spsc_ring.h): one producer, one consumer, single calls and batches of any size up to BATCH.
 * Every access to shared memory is a step of its own, so that spin tries every interleaving.
 *
 * Proven for a run of ITEMS elements: delivered once, in order; a slot is written only when it is empty and read
 * only when it is filled; full and empty are answered only when true; nothing stays in a popped slot; no
 * deadlock. Positions start just below the number where they wrap, as size_t does.
 *
 * Not covered: reordering by the processor or the compiler. What a missing release or acquire would allow are
 * BROKEN 1 and 2; ThreadSanitizer looks for the rest.
 *
 * BROKEN n: mutations that spin must find faulty.
 *   1  tail_ is published before the slots are written
 *   2  head_ is handed back before the slots are read
 *   3  one slot too many counts as free
 *   4  the batch is published whole although only a part of it fitted
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#define BATCH 3
#define ITEMS 9
#define WRAP 32 /* positions are numbers modulo this */
#define START 28

#define PLUS(a, b) (((a) + (b)) % WRAP)
#define MINUS(a, b) (((a) + WRAP - (b)) % WRAP)
#define SLOT(position) slots[(position) % CAPACITY]

byte tail = START;
byte head = START;
byte slots[CAPACITY]; /* 0: empty */

/* For the assertions only. */
byte published = 0;
byte released = 0;

inline write_slots() {
  i = 0;
  do
  :: i < count ->
     atomic { assert(SLOT(position + i) == 0); SLOT(position + i) = next + i; }
     i++
  :: else -> break
  od
}

active proctype producer() {
  byte next = 1; /* the elements are 1, 2, 3, ... */
  byte cached_head = START;
  byte position, wanted, count, i;
  bool was_full;

  do
  :: next > ITEMS -> break
  :: else ->
     select(wanted : 1 .. BATCH);
     if
     :: wanted > ITEMS + 1 - next -> wanted = ITEMS + 1 - next
     :: else
     fi;
     position = tail;
     was_full = false;
     if
     :: CAPACITY - MINUS(position, cached_head) < wanted ->
        atomic { cached_head = head; was_full = (published - released == CAPACITY) }
     :: else
     fi;
     count = CAPACITY - MINUS(position, cached_head) + (BROKEN == 3);
     assert(BROKEN == 3 || count <= CAPACITY);
     assert(count > 0 || was_full);
#if BROKEN == 4
     if
     :: count > 0 -> count = wanted
     :: else
     fi;
#else
     if
     :: count > wanted -> count = wanted
     :: else
     fi;
#endif
     if
     :: count == 0
     :: else ->
#if BROKEN == 1
        atomic { tail = PLUS(position, count); published = published + count }
        write_slots();
#else
        write_slots();
        atomic { tail = PLUS(position, count); published = published + count }
#endif
        next = next + count
     fi
  od
}

inline read_slots() {
  i = 0;
  do
  :: i < count ->
     atomic { assert(SLOT(position + i) == expected + i); SLOT(position + i) = 0 }
     i++
  :: else -> break
  od
}

active proctype consumer() {
  byte expected = 1;
  byte cached_tail = START;
  byte position, wanted, count, i;
  bool was_empty;

  do
  :: expected > ITEMS -> break
  :: else ->
     select(wanted : 1 .. BATCH);
     position = head;
     was_empty = false;
     if
     :: MINUS(cached_tail, position) < wanted ->
        atomic { cached_tail = tail; was_empty = (published == released) }
     :: else
     fi;
     count = MINUS(cached_tail, position);
     assert(count <= CAPACITY);
     assert(count > 0 || was_empty);
     if
     :: count > wanted -> count = wanted
     :: else
     fi;
     if
     :: count == 0
     :: else ->
#if BROKEN == 2
        atomic { head = PLUS(position, count); released = released + count }
        read_slots();
#else
        read_slots();
        atomic { head = PLUS(position, count); released = released + count }
#endif
        expected = expected + count
     fi
  od;
  assert(published == ITEMS);
  i = 0;
  do
  :: i < CAPACITY -> assert(slots[i] == 0); i++
  :: else -> break
  od
}
