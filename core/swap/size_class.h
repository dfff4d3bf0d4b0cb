/* SPDX-License-Identifier: MIT */
/* size_class.h - the sizes of objects that a zspage may be cut into. */
#ifndef QUIRE_CORE_SWAP_SIZE_CLASS_H
#define QUIRE_CORE_SWAP_SIZE_CLASS_H

#include <stdint.h>

/* The class of pages stored as they are, a frame each. */
#define QUIRE_CLASS_RAW 0u

/* The most objects of a zspage, as a power of two: bits of an object's index. */
#define QUIRE_OBJECTS_SHIFT 9

uint32_t qr_class_count(void);
/* The class with the smallest objects that hold so many bytes, its own header included;
 * not above the largest object but a page. */
uint32_t qr_class_for(uint32_t bytes);
/* Objects in a zspage of the class, and the bytes of each. */
uint32_t qr_class_objects(uint32_t size_class);
uint32_t qr_class_bytes(uint32_t size_class);

#endif
