/* SPDX-License-Identifier: MIT */
/* static_program.c - linked statically, so that nothing can be preloaded into it. */
int main(void)
{
	return 0;
}
