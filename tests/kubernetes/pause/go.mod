module civildiy/pause

go 1.22
