/* SPDX-License-Identifier: MIT */
/* profile_math.c - two functions, to twelve digits: the library is not to bring the
 * mathematical library into each program. */
#include "heap/profile.h"

#include <string.h>

#define LN_2 0.69314718055994530942

/* x = m * 2^e with m in [1, 2).  ln m = 2 artanh((m - 1) / (m + 1)), whose argument is
 * below 1/3. */
double qr_profile_log(double x)
{
	uint64_t bits, one = (uint64_t)1023 << 52;
	double m, t, t2, power, sum = 0;
	int e;

	memcpy(&bits, &x, sizeof(bits));
	e = (int)(bits >> 52) - 1023;
	bits = (bits & ((one & -one) - 1)) | one;
	memcpy(&m, &bits, sizeof(m));
	t = (m - 1) / (m + 1);
	t2 = t * t;
	power = t;
	for (int i = 1; i < 25; i += 2) {
		sum += power / i;
		power *= t2;
	}
	return 2 * sum + e * LN_2;
}

/* x = k ln 2 + r; the series of exp(-r), and 2^-k. */
double qr_profile_decay(double x)
{
	double r, term = 1, sum = 1;
	unsigned k;

	if (x > 700)
		return 0;
	k = (unsigned)(x / LN_2);
	r = x - k * LN_2;
	for (int i = 1; i < 16; i++) {
		term *= -r / i;
		sum += term;
	}
	for (; k >= 32; k -= 32)
		sum /= 4294967296.0;
	return sum / (double)((uint64_t)1 << k);
}
