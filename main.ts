console.log("kstream");
