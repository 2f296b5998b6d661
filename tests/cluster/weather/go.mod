module kstream/weather

go 1.22
