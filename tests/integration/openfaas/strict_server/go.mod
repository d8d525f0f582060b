module strictserver

go 1.25
