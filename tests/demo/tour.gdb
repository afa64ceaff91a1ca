# From the end backward: at which exits did this variable change?
rewind goto last
print progress
watch progress
reverse-continue
rewind where
reverse-continue
delete
# And backward to a function that was not in memory yet: the fetch is an EPT violation.
break fetched_function
reverse-continue
backtrace -frame-info short-location
