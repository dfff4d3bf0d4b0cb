# SPDX-License-Identifier: MIT
# Builds nested hashes and arrays, as many as the argument says, and prints sums.
use strict;
use warnings;

my $count = shift;

# 32 bits of a linear congruential generator at a time.
sub numbers {
	my $state = 12345;
	return sub { $state = ($state * 1664525 + 1013904223) & 0xffffffff; };
}

sub sum {
	my $sum = 0;
	$sum = ($sum * 31 + unpack("%32C*", $_)) & 0xffffffffff for @_;
	return $sum;
}

my %index;
my $next = numbers();
for (1 .. $count) {
	my $n = $next->();
	my $name = sprintf("name-%x", $n);
	$index{$name} = { key => $n, tags => [ $n % 97, "tag " . $n % 9973 ] };
}
print "built ", scalar(keys %index), "\n";

my @names = sort { $index{$a}{key} <=> $index{$b}{key} } keys %index;
print "sorted ", sum(@names), "\n";

my $found = 0;
$next = numbers();
$found += $index{ sprintf("name-%x", $next->()) }{tags}[0] for 1 .. $count;
print "found $found\n";

my %group;
push @{ $group{ $index{$_}{tags}[1] } }, $_ for @names;
print "grouped ", sum(map { "$_ " . @{ $group{$_} } } sort keys %group), "\n";

delete @index{ grep { /[02468ace]$/ } @names };
print "left ", scalar(keys %index), "\n";

my $text = join(",", map { "$_=$index{$_}{tags}[0]" } sort keys %index);
print "text ", length($text), " ", sum($text), "\n";
my $changed = ($text =~ s/name-([0-9a-f])/$1-/g);
print "changed $changed ", sum($text), "\n";
